#!/bin/sh
# Makes or updates the schemas of Temporal's two databases. Run again, it only does what is missing.
set -eu

schemas=${SCHEMAS:-/etc/temporal/schema/postgresql/v12}

for pair in temporal:temporal temporal_visibility:visibility; do
  database=${pair%%:*}
  schema=${pair##*:}
  # Version 0.0 is the empty schema with its version table; on a database that has one this changes nothing.
  temporal-sql-tool --db "$database" update-schema --schema-dir "$schemas/$schema/versioned" 2>/dev/null && continue
  temporal-sql-tool --db "$database" setup-schema --version 0.0
  temporal-sql-tool --db "$database" update-schema --schema-dir "$schemas/$schema/versioned"
done
