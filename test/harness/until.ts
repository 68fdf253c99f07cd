/**
 * Waiting for a condition in a system outside the test that announces nothing (a row, a workflow's state). Where there
 * is an event to await, await that.
 */
export { until } from '../../cli/parts/until';
