/** Events gathered by whom they concern, each batch in the order in which they came. */
export function append<Whom, Event>(batches: Map<Whom, Event[]>, whom: Whom, event: Event): void {
  const batch = batches.get(whom);
  if (batch) batch.push(event);
  else batches.set(whom, [event]);
}
