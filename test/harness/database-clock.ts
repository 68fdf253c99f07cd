/**
 * A database whose `now()` a test can move on. What names no schema finds ours before Postgres's own, so every statement
 * of the product runs as it is, by the moved clock; only what the functions in the database say by themselves keeps to
 * the real one (they make parts for samples ahead of time, and samples of another time find their place all the same).
 */
import type { Client } from 'pg';

export class DatabaseClock {
  private constructor(private readonly sql: Client) {}

  /** Connections made before this keep the real clock. */
  static async install(sql: Client): Promise<DatabaseClock> {
    await sql.query(`
      create schema clock;
      create table clock.moved (seconds double precision not null);
      insert into clock.moved values (0);
      create function clock.now() returns timestamptz language sql stable
        as 'select pg_catalog.now() + make_interval(secs => seconds) from clock.moved';
      create function clock.clock_timestamp() returns timestamptz language sql volatile
        as 'select pg_catalog.clock_timestamp() + make_interval(secs => seconds) from clock.moved';
      grant usage on schema clock to public;
      grant select on clock.moved to public;
      do $$
      declare stamped record;
      begin
        execute format('alter database %I set search_path = clock, pg_catalog, public', current_database());
        for stamped in select table_name, column_name from information_schema.columns
          where table_schema = 'public' and column_default = 'now()'
        loop
          execute format('alter table %I alter column %I set default clock.now()', stamped.table_name, stamped.column_name);
        end loop;
      end $$;
      set search_path = clock, pg_catalog, public`);
    return new DatabaseClock(sql);
  }

  /** By how much it is ahead of the real one. */
  async set(seconds: number): Promise<void> {
    await this.sql.query('update clock.moved set seconds = $1', [seconds]);
  }
}
