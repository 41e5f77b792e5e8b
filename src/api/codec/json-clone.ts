/** A copy of a JSON value that shares nothing with it; several times quicker than structuredClone. */
export function cloneJson<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const out: unknown[] = new Array(value.length);
    for (let i = 0; i < value.length; i++) out[i] = cloneJson(value[i]);
    return out as T;
  }
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const inner = cloneJson((value as Record<string, unknown>)[key]);
    // Assigned, this name would change the prototype.
    if (key === '__proto__') Object.defineProperty(out, key, { value: inner, enumerable: true, configurable: true, writable: true });
    else out[key] = inner;
  }
  return out as T;
}

/** Copies one field of `from` into `to`, or removes it there. */
export function takeOver(to: object, from: object, key: string): void {
  const [target, source] = [to as Record<string, unknown>, from as Readonly<Record<string, unknown>>];
  if (source[key] === undefined) delete target[key];
  else target[key] = cloneJson(source[key]);
}
