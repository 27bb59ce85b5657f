select id as provided_id,
       name,
       billing_email as emails,
       segment as group_tags,
       json_object('plan', plan, 'seats', seats) as properties,
       trial as is_demo_group
from tenants
