/** Numbers and times as Go prints them. */

/** As strconv.FormatFloat(…, 'g', -1, 64). */
export function goNumber(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const exponent = value === 0 ? 0 : Number(value.toExponential().split('e')[1]);
  if (Number.isNaN(value) || (exponent >= -4 && exponent < 21)) return plain(value);
  const [digits = '', power = ''] = value.toExponential().split('e');
  return `${digits}e${power.slice(0, 1)}${power.slice(1).padStart(2, '0')}`;
}

function plain(value: number): string {
  return String(value).includes('e') ? value.toFixed(20).replace(/0+$/, '') : String(value);
}

/** RFC 3339, with as many digits of a second as it has. */
export function goTime(date: Date): string {
  return date.toISOString().replace(/\.?0+Z$/, 'Z');
}
