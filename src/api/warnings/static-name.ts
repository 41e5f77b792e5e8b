import type { KubeObject } from '../resource-types.ts';

/** Of configurations of webhooks, of policies and of bindings. */
export function staticNameWarnings({ metadata }: KubeObject): string[] {
  const suffix = '.static.k8s.io';
  return [
    ...(metadata.name?.endsWith(suffix)
      ? [
          `metadata.name: names ending with "${suffix}" are reserved for static manifest-based configurations and cannot be managed via the API`,
        ]
      : []),
  ];
}
