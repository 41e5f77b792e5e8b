/** Versions as API servers and kubelets tell them: `v1.35.0+fairlead.0.1.0`, or without a build what upstream's programs are. Pure. */

export interface Version {
  /** Major, minor, patch of Kubernetes. */
  readonly kubernetes: readonly [number, number, number];
  /** Of the package; undefined for another program, or one from before it was told. */
  readonly program: string | undefined;
}

const form = /^v?(\d+)\.(\d+)\.(\d+)(?:-[\w.-]+)?(?:\+(.*))?$/;

export function parseVersion(text: string): Version | undefined {
  const found = form.exec(text);
  if (!found) return undefined;
  const [, major, minor, patch, build = ''] = found;
  return { kubernetes: [Number(major), Number(minor), Number(patch)], program: /^fairlead\.(.+)$/.exec(build)?.[1] };
}

function sign(a: number, b: number): number {
  return Math.sign(a - b);
}

/** By semver, as far as releases have it: `0.2.0-rc.1` is before `0.2.0`. */
export function compareProgram(a: string, b: string): number {
  const parts = (text: string): readonly [release: number[], pre: string | undefined] => {
    const [release = '', ...pre] = text.split(/[-~]/);
    return [release.split('.').map(Number), pre.length > 0 ? pre.join('-') : undefined];
  };
  const [[ofA, preA], [ofB, preB]] = [parts(a), parts(b)];
  for (let i = 0; i < Math.max(ofA.length, ofB.length); i++) {
    const order = sign(ofA[i] ?? 0, ofB[i] ?? 0);
    if (order !== 0) return order;
  }
  if (preA === preB) return 0;
  if (preA === undefined || preB === undefined) return preA === undefined ? 1 : -1;
  return sign(preA.localeCompare(preB, 'en', { numeric: true }), 0);
}

/** Negative when `a` is the older one. A program of another make is compared by its minor version alone, as upstream's rules for skew are. */
export function compareVersions(a: Version, b: Version): number {
  const isOurs = a.program !== undefined && b.program !== undefined;
  const length = isOurs ? 3 : 2;
  for (let i = 0; i < length; i++) {
    const order = sign(a.kubernetes[i] ?? 0, b.kubernetes[i] ?? 0);
    if (order !== 0) return order;
  }
  return a.program !== undefined && b.program !== undefined ? compareProgram(a.program, b.program) : 0;
}

/** How many minor versions `newer` is ahead. */
export function minorsAhead(newer: Version, older: Version): number {
  return (newer.kubernetes[0] - older.kubernetes[0]) * 100 + newer.kubernetes[1] - older.kubernetes[1];
}
