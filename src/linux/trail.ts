/** The steps that led somewhere, the newest outermost: ways that part share what lies behind them. Pure. */
export interface Trail<Step> {
  readonly step: Step;
  readonly before: Trail<Step> | undefined;
}

/** Its steps, the oldest first. */
export function stepsOf<Step>(trail: Trail<Step> | undefined): Step[] {
  const steps: Step[] = [];
  for (let at = trail; at; at = at.before) steps.push(at.step);
  return steps.reverse();
}
