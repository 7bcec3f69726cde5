«% set it = parameters.name|replace("-", "_") ~ "_ml" %»
-- What the project has, by its own role: the rows, the registry, and what was answered.
create schema if not exists «it|word».model;
use schema «it|word».model;
create table if not exists known (id int, features varchar, target int);
create table if not exists asked (id int, features varchar);
create table if not exists models (
  version int, algorithm varchar, f1 float, sha256 varchar, model varchar,
  made timestamp_ntz default current_timestamp()
);
create table if not exists variants (name varchar, version int, share int);
create table if not exists answers (
  id int, variant varchar, version int, answer int,
  answered timestamp_ntz default current_timestamp()
);
create stage if not exists code;
