/** Requests for devices: one of them, unless they say otherwise. */
import type { DeviceClaim } from '../schema/types.ts';

export function defaultDeviceClaim(claim: DeviceClaim | undefined): void {
  for (const { exactly, firstAvailable } of claim?.requests ?? []) {
    for (const request of [exactly, ...(firstAvailable ?? [])]) {
      if (!request) continue;
      request.allocationMode ??= 'ExactCount';
      if (request.allocationMode === 'ExactCount') request.count ??= 1;
      for (const toleration of request.tolerations ?? []) toleration.operator ??= 'Equal';
    }
  }
}
