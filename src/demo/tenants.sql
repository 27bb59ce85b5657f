create table tenants (
    id text primary key,
    name text not null,
    billing_email text not null,
    segment text not null,
    plan text not null,
    seats integer not null,
    trial boolean not null
);
insert into tenants values
    ('acme', 'Acme Logistics', 'ops@acme.example', 'eu', 'enterprise', 250, false),
    ('bluebird', 'Bluebird Health', 'it@bluebird.example', 'us', 'team', 40, false),
    ('cedar', 'Cedar & Pine', 'hello@cedar.example', 'eu', 'pro', 12, false),
    ('delta', 'Delta Foods', 'data@delta.example', 'us', 'team', 35, false),
    ('ember', 'Café Ember', 'owner@ember.example', 'eu', 'free', 1, true),
    ('fjord', 'Fjord Energy', 'bi@fjord.example', 'eu', 'enterprise', 400, false),
    ('globex', 'Globex', 'analytics@globex.example', 'us', 'pro', 18, false),
    ('harbor', 'Harbor Retail', 'team@harbor.example', 'us', 'free', 3, true);
