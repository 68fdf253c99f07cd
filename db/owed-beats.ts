/** Which heartbeats a machine owes: none for the time in which it was stopped, or being stopped, by us. */

/**
 * SQL: the seconds from `since` to now in which heartbeats were due.
 * @param clientId, instanceId, since expressions over the row at hand.
 */
export function owedSeconds(clientId: string, instanceId: string, since: string): string {
  return `(extract(epoch from now() - ${since}) - coalesce((
    select sum(extract(epoch from coalesce(stop.started_at, now())
      - greatest(coalesce(stop.asked_at, stop.stopped_at), ${since})))
    from instance_stops stop where stop.client_id = ${clientId} and stop.instance_id = ${instanceId}
      and coalesce(stop.started_at, now()) > ${since}), 0))`;
}

/**
 * SQL: the heartbeats that were due since `since` and did not come; half an interval late is not missed yet. The stops
 * are looked up for those that are late only, which are few.
 * @param interval expression of the seconds between two.
 */
export function missedSince(clientId: string, instanceId: string, since: string, interval: string): string {
  // Nearly all are not late, and comparing times takes less than taking seconds out of them, which are decimal numbers.
  return `case when now() - ${since} < make_interval(secs => 1.5 * ${interval}) then 0
    else greatest(0, floor(${owedSeconds(clientId, instanceId, since)} / ${interval} - 0.5)) end`;
}
