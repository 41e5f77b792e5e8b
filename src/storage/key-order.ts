/**
 * Keys in the order of their UTF-8 bytes, which is what every backend sorts by. JavaScript compares UTF-16 units instead, and the two
 * differ once a surrogate (U+10000 and up) meets U+E000..U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** True when `start <= key < end`. */
export function inRange(key: string, start: string, end: string): boolean {
  return compareKeys(key, start) >= 0 && compareKeys(key, end) < 0;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
