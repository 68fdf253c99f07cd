/** Which agent this is, for the server's records and the log. */
export const AGENT_VERSION = '0.1.0';
