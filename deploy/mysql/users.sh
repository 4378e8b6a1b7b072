#!/bin/bash
# Run once by the mysql image, on an empty data folder: a database and a user per service, each with rights on its own alone.
set -eu
for variable in MYSQL_ROOT_PASSWORD MYSQL_USER_PASSWORD MYSQL_ORDER_PASSWORD MYSQL_EVENT_PASSWORD; do
  case $(printf %s "${!variable}" | tr '[:upper:]' '[:lower:]' | tr -cd 'a-z0-9') in
    '' | changeme* | password | secret | example | placeholder)
      echo "$variable is empty or a placeholder: draw one with openssl rand -hex 24" >&2
      exit 1
      ;;
  esac
done
for service in user order event; do
  variable=MYSQL_$(echo "$service" | tr '[:lower:]' '[:upper:]')_PASSWORD
  mysql --protocol=socket -uroot -p"$MYSQL_ROOT_PASSWORD" <<SQL
CREATE DATABASE IF NOT EXISTS millrace_$service CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS '$service'@'%' IDENTIFIED BY '${!variable}';
GRANT ALL PRIVILEGES ON millrace_$service.* TO '$service'@'%';
SQL
done
