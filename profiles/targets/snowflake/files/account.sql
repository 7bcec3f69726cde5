«% set it = parameters.name|replace("-", "_") ~ "_ml" %»
-- What an administrator of the account makes, the monitor first: it stops the warehouse at the limit and on the last day.
-- run.sh fills what stands between @.
use role accountadmin;
create resource monitor if not exists «it|word» with credit_quota = 1;
alter resource monitor «it|word» set
  credit_quota = «[parameters.monthly|int // parameters.credit|int, 1]|max»
  frequency = monthly
  start_timestamp = immediately
  end_timestamp = '@END@ 06:00'
  triggers on 80 percent do notify on 100 percent do suspend on 110 percent do suspend_immediate;
create warehouse if not exists «it|word»
  warehouse_size = xsmall auto_suspend = 60 auto_resume = true initially_suspended = true;
alter warehouse «it|word» set resource_monitor = «it|word»;
create database if not exists «it|word»;
create role if not exists «it|word»;
grant usage on warehouse «it|word» to role «it|word»;
grant usage, create schema on database «it|word» to role «it|word»;
-- What the procedures need comes from the Python Package Index.
grant database role snowflake.pypi_repository_user to role «it|word»;
