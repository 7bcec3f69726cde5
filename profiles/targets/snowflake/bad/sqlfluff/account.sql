create resource monitor churn credit_quota 12;
