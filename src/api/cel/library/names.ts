import type { CelNode } from '../cel.ts';

/** Of the package, and not of Kubernetes. */
const unknown: ReadonlySet<string> = new Set(['json', 'hex', 'base64', 'at', 'string']);

/** What is said of a call of something that the package has and kube-apiserver has not. */
export function forgets(name: string, receiver: CelNode | undefined): string | undefined {
  if (receiver?.op === 'id' && receiver.args === 'cel') return "undeclared reference to 'cel'";
  return receiver && unknown.has(name) ? `undeclared reference to '${name}'` : undefined;
}
