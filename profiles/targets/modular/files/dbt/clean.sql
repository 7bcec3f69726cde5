select
    id,
{% for name in var('features') %}
    cast("{{ name }}" as double) as "{{ name }}",
{% endfor %}
    "{{ var('target') }}"
from {{ source('raw', 'rows_seen') }}
where "{{ var('target') }}" is not null
{% for name in var('features') %}
    and isfinite(cast("{{ name }}" as double))
{% endfor %}
