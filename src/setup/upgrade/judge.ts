/** Whether what is installed may take the place of what runs. Pure. */
import { judgeCertificate } from '../doctor/certificate-checks.ts';
import type { CertificateFact } from '../doctor/facts.ts';
import { error, type Finding, warning } from '../preflight/finding.ts';
import { isServerDown, isServerOld, type UpgradeFacts } from './facts.ts';
import { compareVersions, minorsAhead, parseVersion, type Version } from './version.ts';

/** A kubelet may be so many minor versions older than its API server, and never newer (https://kubernetes.io/releases/version-skew-policy/). */
const mostMinors = 3;
/** What the disk must have beside a snapshot of the store: it grows meanwhile. */
const spareBytes = 64 << 20;

type Judge = (facts: UpgradeFacts) => readonly (Finding | undefined | false)[];

/** Everything that keeps the upgrade from being tried, then what a person should know. */
export function judge(facts: UpgradeFacts): Finding[] {
  if (facts.role === undefined) return [notSetUp];
  const judges: readonly Judge[] = [services, controlPlane, versions, nodes, store, certificates];
  return judges.flatMap((one) => one(facts)).filter((found): found is Finding => typeof found === 'object');
}

const notSetUp: Finding = error(
  'NotSetUp',
  'neither "fairlead init" nor "fairlead join" has set this machine up',
  'What was started by hand is restarted by hand, "fairlead server" first, then each "fairlead agent": pods, rules and connections stay. A lab: fairlead lab down, fairlead lab up',
);

const services: Judge = ({ services: all }) =>
  all.map(
    ({ name, isElsewhere }) =>
      isElsewhere &&
      error(
        `Service-${name}`,
        `something else than what "fairlead init" or "fairlead join" has set up keeps "fairlead ${name}" running`,
        `Restart it by what keeps it; to hand it over, end it there: systemctl start fairlead-${name}`,
      ),
  );

const controlPlane: Judge = (facts) => {
  const { server } = facts;
  if ('version' in server) return [];
  return [
    isServerDown(facts)
      ? warning('ServerDown', '"fairlead server" does not run here: what the cluster has is not known', 'It is started')
      : error(
          'ControlPlane',
          `the control plane does not answer: ${server.why}`,
          'Nothing is upgraded on a cluster that is not well: fairlead doctor',
        ),
  ];
};

const versions: Judge = ({ installed, role, server }) => {
  const [own, running] = [parseVersion(installed), parseVersion('version' in server ? server.version : '')];
  if (!own || !running) return [];
  const order = compareVersions(own, running);
  const said = 'version' in server ? server.version : '';
  if (role === 'worker')
    return [
      order > 0 &&
        error(
          'ControlPlaneFirst',
          `the control plane runs ${said}, older than ${installed}, which is installed here`,
          'Upgrade the control plane first, then this node',
        ),
      minorsAhead(running, own) > mostMinors &&
        error(
          'VersionSkew',
          `the control plane runs ${said}, and a node may be ${mostMinors} minor versions older at most: ${installed} is installed here`,
          'Install a newer package here',
        ),
    ];
  return [
    order < 0 &&
      error(
        'Downgrade',
        `the control plane runs ${said}, newer than ${installed}, which is installed here`,
        'Install the newer package again. The way back is by the snapshot that was made before the upgrade, which said how',
      ),
    minorsAhead(own, running) > 1 &&
      error(
        'VersionSkew',
        `${installed} is installed, and ${said} runs: a control plane goes from one minor version to the next`,
        'Install the versions between, and upgrade to each',
      ),
  ];
};

const nodes: Judge = ({ role, installed, nodeName, nodes: all }) => {
  const own = parseVersion(installed);
  if (role !== 'control-plane' || !own) return [];
  const others = all.flatMap(({ name, version }) => {
    const parsed = parseVersion(version);
    return parsed && name !== nodeName ? [{ text: `"${name}" (${version})`, parsed }] : [];
  });
  const which = (pick: (version: Version) => boolean): string =>
    others
      .filter(({ parsed }) => pick(parsed))
      .map(({ text }) => text)
      .join(', ');
  const newer = which((version) => compareVersions(version, own) > 0);
  const old = which((version) => minorsAhead(own, version) > mostMinors);
  const silent = all.filter(({ isReady }) => !isReady).map(({ name }) => `"${name}"`);
  return [
    newer !== '' &&
      error(
        'NodeNewer',
        `nodes may not be newer than the control plane, which would be ${installed}: ${newer}`,
        'Install a package at least as new as theirs',
      ),
    old !== '' &&
      error(
        'NodeTooOld',
        `nodes may be ${mostMinors} minor versions older than ${installed} at most: ${old}`,
        'Upgrade these nodes first, to a version between',
      ),
    silent.length > 0 &&
      warning('NodeNotReady', `not Ready: ${silent.join(', ')}`, 'Look at them before, or after: kubectl describe node NAME'),
  ];
};

const store: Judge = (facts) => {
  const { store: found } = facts;
  if (!found || !isServerOld(facts)) return [];
  if (found.kind === 'elsewhere')
    return [warning('StoreBackup', `no snapshot is made of the store ${found.url}`, 'Back it up by its own tools, before')];
  if (found.kind === 'unreadable') return [error('Store', `the store ${found.path} cannot be read`, 'See the log of the server')];
  const { path, format, knownFormat, bytes, freeBytes } = found;
  const needed = bytes + spareBytes;
  return [
    format > knownFormat &&
      error(
        'StoreFormat',
        `the store ${path} has format ${format}, and this package knows up to ${knownFormat}`,
        'Install the newer package again',
      ),
    format < knownFormat &&
      warning(
        'StoreFormat',
        `the store ${path} will be of format ${knownFormat} (now ${format}), which older packages do not read`,
        'The way back is by the snapshot',
      ),
    freeBytes < needed &&
      error(
        'StoreRoom',
        `a snapshot of the store takes ${megabytes(bytes)}, and ${megabytes(freeBytes)} are free beside ${path}`,
        `Make room: ${megabytes(needed)} are enough`,
      ),
  ];
};

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MB`;
}

/** Those that a new one can take the place of: a control plane gets them with the upgrade. */
export function lateCertificates({ certificates: all, now, role }: UpgradeFacts): CertificateFact[] {
  if (role !== 'control-plane') return [];
  const mayBeNew = ({ kind, problem, isRenewable }: CertificateFact): boolean =>
    problem === undefined && isRenewable && (kind === 'certificate' || kind === 'kubeconfig');
  return all.filter((one) => mayBeNew(one) && judgeCertificate(one, now));
}

const certificates: Judge = (facts) => {
  const late = lateCertificates(facts);
  return facts.certificates.filter((one) => !late.includes(one)).map((one) => judgeCertificate(one, facts.now));
};
