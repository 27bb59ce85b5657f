select id as provided_id,
       name,
       billing_email as emails
from tenants
