/** Why a Service has no rules in any mode. Pure. */
import type { Service } from '../../api/schema/types.ts';
import { isHeadlessService } from '../../api/well-known.ts';
import { proxyNameLabel } from '../plan/plan-service.ts';

interface NoPlan {
  readonly text: string;
  /** Whether something is missing that it is to have. */
  readonly isLack: boolean;
}

export function noPlanWhy({ metadata, spec }: Service): NoPlan | undefined {
  const labels = metadata.labels ?? {};
  const meant = (text: string): NoPlan => ({ text, isLack: false });
  if (spec?.type === 'ExternalName') return meant('it is just a name (ExternalName)');
  if (spec?.clusterIP === 'None' || isHeadlessService in labels) return meant('it is headless');
  if (proxyNameLabel in labels) return meant('its label says that another proxy serves it');
  if (!spec?.clusterIP) return { text: 'it has no clusterIP, which the API server gives it', isLack: true };
  return undefined;
}
