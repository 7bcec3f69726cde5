select * from {{ ref('clean') }} order by id
