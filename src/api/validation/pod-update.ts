/** Updates of a pod, of its ephemeral containers and of its status: what they may change. */
import { isDeepStrictEqual } from 'node:util';
import { cloneJson, takeOver } from '../codec/json-clone.ts';
import type { Container, Pod, PodSpec, Toleration } from '../schema/types.ts';
import { eachOf, type FieldError, failing, forbidden, invalid, required } from './field-error.ts';
import { deadlineErrors, podSpecErrors } from './pod.ts';
import { tolerationErrors } from './toleration.ts';

/** An update of a pod may change images, shorten the deadline, and add tolerations. */
export function podUpdateErrors(next: Pod, old: Pod): FieldError[] {
  const [spec, before] = [next.spec, old.spec];
  if (!spec || !before) return spec === before ? [] : [forbidden('spec', 'pod updates may not add or remove the spec')];
  for (const list of containerLists) {
    if ((spec[list]?.length ?? 0) !== (before[list]?.length ?? 0)) {
      return [forbidden(`spec.${list}`, 'pod updates may not add or remove containers')];
    }
  }
  return [
    ...containerLists.flatMap((list) => imageErrors(spec[list], `spec.${list}`)),
    ...deadlineUpdateErrors(spec.activeDeadlineSeconds, before.activeDeadlineSeconds),
    ...addedTolerationErrors(spec.tolerations ?? [], before.tolerations ?? []),
    ...(hasGates(spec) || hasGates(before) ? gateErrors(spec, before) : []),
    ...otherChangeErrors(spec, before),
  ];
}

const containerLists = ['containers', 'initContainers'] as const;

function hasGates({ schedulingGates }: PodSpec): boolean {
  return (schedulingGates?.length ?? 0) > 0;
}

function deadlineUpdateErrors(deadline: number | undefined, before: number | undefined): FieldError[] {
  const path = 'spec.activeDeadlineSeconds';
  if (deadline === undefined) {
    return before === undefined ? [] : [invalid(path, null, 'must not update from a positive integer to nil value')];
  }
  const later = before !== undefined && before < deadline;
  return [
    // Upstream checks the pod as a new one before it looks at what has changed, and allows no more there than here.
    ...deadlineErrors(deadline, path, 1),
    ...deadlineErrors(deadline, path, 0),
    ...failing([[later, () => invalid(path, deadline, 'must be less than or equal to previous value')]]),
  ];
}

/** Everything that has no check of its own must be unchanged. */
function otherChangeErrors(spec: PodSpec, before: PodSpec): FieldError[] {
  const munged = cloneJson(spec);
  for (const list of containerLists) {
    for (const [index, container] of (munged[list] ?? []).entries()) container.image = before[list]?.[index]?.image;
  }
  for (const key of changeable(spec, before)) takeOver(munged, before, key);
  if (isDeepStrictEqual(withoutUndefined(munged), withoutUndefined(before))) return [];
  const allowed =
    'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';
  return [forbidden('spec', `${allowed}\n${differenceText(munged, before)}`)];
}

function changeable(spec: PodSpec, before: PodSpec): (keyof PodSpec)[] {
  const keys: (keyof PodSpec)[] = ['activeDeadlineSeconds', 'tolerations'];
  if (hasGates(spec) || hasGates(before)) keys.push('schedulingGates');
  // Admission and users may still restrict where a gated pod can run.
  if (hasGates(before)) keys.push('nodeSelector', 'affinity');
  if ((before.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1) {
    keys.push('terminationGracePeriodSeconds');
  }
  return keys;
}

/** Ephemeral containers can only be added. */
export function ephemeralUpdateErrors(next: Pod, old: Pod): FieldError[] {
  const path = 'spec.ephemeralContainers';
  const [now, before] = [next.spec?.ephemeralContainers ?? [], old.spec?.ephemeralContainers ?? []];
  const errors = next.spec ? podSpecErrors(next.spec, 'spec').filter((one) => one.path.startsWith(path)) : [];
  for (const [index, container] of before.entries()) {
    const same = now.find((one) => one.name === container.name);
    if (!same) errors.push(forbidden(path, `existing ephemeral containers ${JSON.stringify(container.name)} may not be removed\n`));
    else if (!isDeepStrictEqual(same, container)) {
      errors.push(forbidden(path, `existing ephemeral containers ${JSON.stringify(container.name)} may not be changed\n${index}`));
    }
  }
  return errors;
}

/** A terminated container that is never restarted must stay terminated. */
export function podStatusErrors(next: Pod, old: Pod): FieldError[] {
  const policy = old.spec?.restartPolicy;
  if (policy === 'Always') return [];
  return eachOf(old.status?.containerStatuses, 'status.containerStatuses', (before, at) => {
    const ended = before.state?.terminated;
    if (!ended || (ended.exitCode !== 0 && policy === 'OnFailure')) return [];
    const now = next.status?.containerStatuses?.find((one) => one.name === before.name);
    return now && !now.state?.terminated ? [forbidden(`${at}.state`, 'may not be transitioned to non-terminated state')] : [];
  });
}

function addedTolerationErrors(next: readonly Toleration[], old: readonly Toleration[]): FieldError[] {
  const shape = ({ tolerationSeconds: _seconds, ...rest }: Toleration): object => rest;
  const kept = old.every((one) => next.some((other) => isDeepStrictEqual(shape(other), shape(one))));
  if (!kept) return [forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')];
  return tolerationErrors(next, 'spec.tolerations');
}

function gateErrors(next: PodSpec, old: PodSpec): FieldError[] {
  const before = new Set(old.schedulingGates?.map((one) => one.name));
  const added = (next.schedulingGates ?? []).filter((one) => !before.has(one.name));
  return added.map((one) => forbidden('spec.schedulingGates', `only deletion is allowed, but found new scheduling gate '${one.name}'`));
}

function imageErrors(containers: readonly Container[] | undefined, path: string): FieldError[] {
  return eachOf(containers, path, ({ image }, at) => {
    if (!image) return [required(`${at}.image`)];
    return image.trim() === image ? [] : [invalid(`${at}.image`, image, 'must not have leading or trailing whitespace')];
  });
}

/** The fields of the spec that differ, with both values. Upstream prints a diff of Go structs here. */
function differenceText(next: PodSpec, old: PodSpec): string {
  const keys = [...new Set([...Object.keys(next), ...Object.keys(old)])] as (keyof PodSpec)[];
  const changed = keys.filter((key) => !isDeepStrictEqual(next[key], old[key]));
  return changed
    .map((key) => `  ${key}:\n-   ${JSON.stringify(old[key]) ?? 'unset'}\n+   ${JSON.stringify(next[key]) ?? 'unset'}`)
    .join('\n');
}

/** Undefined and absent are the same in JSON. */
function withoutUndefined(spec: PodSpec): unknown {
  return JSON.parse(JSON.stringify(spec));
}
