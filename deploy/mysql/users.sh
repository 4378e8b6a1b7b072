#!/bin/bash
# Run once by the mysql image, on an empty data folder: a database and a user per service, each with rights on its own alone.
set -eu
for service in user order event; do
  variable=MYSQL_$(echo "$service" | tr '[:lower:]' '[:upper:]')_PASSWORD
  mysql --protocol=socket -uroot -p"$MYSQL_ROOT_PASSWORD" <<SQL
CREATE DATABASE IF NOT EXISTS millrace_$service CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS '$service'@'%' IDENTIFIED BY '${!variable}';
GRANT ALL PRIVILEGES ON millrace_$service.* TO '$service'@'%';
SQL
done
