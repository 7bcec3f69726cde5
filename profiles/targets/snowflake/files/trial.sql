«% set it = parameters.name|replace("-", "_") ~ "_ml" %»
-- A trial account as a whole, until what was left of its credits is used up: half of that is told, and at the last tenth every warehouse stops.
use role accountadmin;
-- Its count begins once, with what is left of the credits then: `alter` does not begin it again.
create resource monitor if not exists «it|word»_trial with
  credit_quota = «[parameters.balance|int // parameters.credit|int, 1]|max»
  frequency = never
  start_timestamp = immediately;
alter resource monitor «it|word»_trial set
  credit_quota = «[parameters.balance|int // parameters.credit|int, 1]|max»
  triggers on 50 percent do notify on 75 percent do notify on 90 percent do suspend;
alter account set resource_monitor = «it|word»_trial;
