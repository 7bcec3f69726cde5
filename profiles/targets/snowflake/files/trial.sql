«% set it = parameters.name|replace("-", "_") ~ "_ml" %»
-- A trial account as a whole, until its credits are used up: half of them is told, and at the last tenth every warehouse stops.
use role accountadmin;
create resource monitor if not exists «it|word»_trial with credit_quota = 1;
alter resource monitor «it|word»_trial set
  credit_quota = «[parameters.balance|int // parameters.credit|int, 1]|max»
  frequency = never
  start_timestamp = immediately
  triggers on 50 percent do notify on 75 percent do notify on 90 percent do suspend;
alter account set resource_monitor = «it|word»_trial;
