/** The keys of caches and work queues, as client-go's MetaNamespaceKeyFunc makes them. */

/** `namespace/name`, or `name` alone for an object that has no namespace. */
export function objectKey(object: { readonly metadata: { readonly namespace?: string | undefined; readonly name: string } }): string {
  return object.metadata.namespace ? `${object.metadata.namespace}/${object.metadata.name}` : object.metadata.name;
}

/** The inverse of objectKey; `namespace` is '' when the key has none. */
export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, Math.max(slash, 0)), name: key.slice(slash + 1) };
}
