/** `3`, or `"25%"` of `total`: apimachinery's GetScaledValueFromIntOrPercent. */
export function scaledValue(value: number | string, total: number, round: (share: number) => number = Math.ceil): number {
  return typeof value === 'number' ? value : round((total * Number.parseInt(value, 10)) / 100) || 0;
}
