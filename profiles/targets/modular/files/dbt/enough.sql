-- A class of which there are too few rows to hold some out is none; nor is there anything to tell where there is one class.
select "{{ var('target') }}" as class, count(*) as rows_of_it
from {{ ref('features') }}
group by 1
having count(*) < 20 or (select count(distinct "{{ var('target') }}") from {{ ref('features') }}) < 2
