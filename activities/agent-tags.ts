/** Tags by which our own instances, images and snapshots are known. */
export function agentTags({
  clientId,
  agentId,
}: {
  clientId: string;
  agentId: string;
}): Record<string, string> {
  return { 'spotkeeper:client-id': clientId, 'spotkeeper:agent-id': agentId };
}
