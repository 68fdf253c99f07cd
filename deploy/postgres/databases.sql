-- Run by psql once, when the server's data folder is empty.
\getenv spotkeeper_password SPOTKEEPER_DB_PASSWORD
\getenv temporal_password TEMPORAL_DB_PASSWORD

-- Its migrations make the roles that the processes act under.
create role spotkeeper login createrole password :'spotkeeper_password';
create database spotkeeper owner spotkeeper;

create role temporal login password :'temporal_password';
create database temporal owner temporal;
create database temporal_visibility owner temporal;
