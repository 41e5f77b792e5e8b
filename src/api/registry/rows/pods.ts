/** Pods, with their subresources, and PodTemplates. */
import { isDeepStrictEqual } from 'node:util';
import { takeOver } from '../../codec/json-clone.ts';
import { podTemplateColumns } from '../../columns/cluster-columns.ts';
import { podColumns } from '../../columns/pod-columns.ts';
import { defaultPod, defaultTemplate } from '../../defaults/pod.ts';
import { qosClassOf } from '../../defaults/qos-class.ts';
import { pods, podTemplates } from '../../resource-types.ts';
import type { Pod, PodSpec } from '../../schema/types.ts';
import { podErrors, templateErrors } from '../../validation/pod.ts';
import { podResizeErrors } from '../../validation/pod-resize.ts';
import { ephemeralUpdateErrors, podStatusErrors, podUpdateErrors } from '../../validation/pod-update.ts';
import { podWarnings } from '../../warnings/pod.ts';
import { defineRow, part, special } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const podRows: readonly ResourceRow[] = [
  defineRow({
    type: pods,
    shortNames: ['po'],
    categories: ['all'],
    hasStatus: true,
    subresources: [
      part<Pod>('ephemeralcontainers', { prepareUpdate: takeEphemeral, validateUpdate: ephemeralUpdateErrors }),
      part<Pod>('resize', { prepareUpdate: takeResources, validateUpdate: podResizeErrors }),
      special('attach', ['create', 'get'], 'v1', 'PodAttachOptions'),
      special('binding', ['create'], 'v1', 'Binding'),
      special('eviction', ['create'], 'policy/v1', 'Eviction'),
      special('exec', ['create', 'get'], 'v1', 'PodExecOptions'),
      special('log', ['get'], 'v1', 'Pod'),
      special('portforward', ['create', 'get'], 'v1', 'PodPortForwardOptions'),
      special('proxy', ['create', 'delete', 'get', 'patch', 'update'], 'v1', 'PodProxyOptions'),
    ],
    selectableFields: {
      'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
      // The name that it had in the oldest version of the API.
      'spec.host': ({ spec }) => spec?.nodeName ?? '',
      'spec.restartPolicy': ({ spec }) => spec?.restartPolicy ?? '',
      'spec.schedulerName': ({ spec }) => spec?.schedulerName ?? '',
      'spec.serviceAccountName': ({ spec }) => spec?.serviceAccountName ?? '',
      'spec.hostNetwork': ({ spec }) => String(spec?.hostNetwork ?? false),
      'status.phase': ({ status }) => status?.phase ?? '',
      'status.podIP': ({ status }) => status?.podIPs?.[0]?.ip ?? status?.podIP ?? '',
      'status.podIPs': ({ status }) => status?.podIPs?.[0]?.ip ?? status?.podIP ?? '',
      'status.nominatedNodeName': ({ status }) => status?.nominatedNodeName ?? '',
    },
    columns: podColumns,
    applyDefaults: defaultPod,
    prepareCreate: startPod,
    warnings: podWarnings,
    validate: podErrors,
    validateUpdate: podUpdateErrors,
    validateStatus: podStatusErrors,
    prepareStatus: (next, old) => {
      // The kubelet may write from an old copy of the pod: that must change neither its owners nor its QoS class.
      takeOver(next.metadata, old.metadata, 'ownerReferences');
      next.status ??= {};
      if (old.status?.qosClass) next.status.qosClass = old.status.qosClass;
    },
    gracePeriod: ({ spec, status }, requested) => {
      // Before the pod has a node, and after it has ended, there is nothing to wait for.
      if (!spec?.nodeName || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0;
      const seconds = requested ?? spec.terminationGracePeriodSeconds ?? 30;
      return seconds < 0 ? 1 : seconds;
    },
  }),
  defineRow({
    type: podTemplates,
    returnsDeleted: true,
    columns: podTemplateColumns,
    applyDefaults: (object) => defaultTemplate(object.template),
    generationOf: (object) => object.template,
    warnings: ({ template }) => podWarnings(template ?? {}, 'template'),
    validate: ({ template }) => templateErrors(template, 'template'),
  }),
];

function startPod(pod: Pod): void {
  const { spec } = pod;
  pod.status = { phase: 'Pending' };
  if (!spec) return;
  pod.status.qosClass = qosClassOf(spec);
  if (spec.schedulingGates?.length && !spec.nodeName) {
    pod.status.conditions = [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'SchedulingGated',
        message: 'Scheduling is blocked due to non-empty scheduling gates',
      },
    ];
  }
}

/** Keeps everything of the old pod but `ephemeralContainers`. */
function takeEphemeral(next: Pod, old: Pod): void {
  const asked = next.spec?.ephemeralContainers;
  takeOver(next, old, 'spec');
  takeOver(next, old, 'status');
  if (!next.spec) return;
  if (asked) next.spec.ephemeralContainers = asked;
  else delete next.spec.ephemeralContainers;
}

/** Keeps everything of the old pod but the resources and resize policies of its containers. */
function takeResources(next: Pod, old: Pod): void {
  const asked = next.spec;
  takeOver(next, old, 'spec');
  takeOver(next, old, 'status');
  for (const list of ['containers', 'initContainers'] as const) {
    const names = (spec: PodSpec | undefined): unknown => spec?.[list]?.map((one) => one.name) ?? [];
    // Containers that were added, removed or renamed are kept as sent, so that validation refuses them.
    if (next.spec && asked?.[list] && !isDeepStrictEqual(names(asked), names(next.spec))) {
      next.spec[list] = asked[list];
      continue;
    }
    for (const container of next.spec?.[list] ?? []) {
      const wanted = asked?.[list]?.find((one) => one.name === container.name);
      if (wanted?.resources) container.resources = wanted.resources;
      if (wanted?.resizePolicy) container.resizePolicy = wanted.resizePolicy;
    }
  }
}
