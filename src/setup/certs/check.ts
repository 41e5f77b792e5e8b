/** What is told of the certificates of a machine. */
import { existsSync } from 'node:fs';
import { type Column, outputFormat, renderOutput } from '../../cli/output.ts';
import { systemClock } from '../../clock/clock.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { type CertsDirs, commonNameOf, type FoundCertificate, findCertificates, keyPathOf } from './certs.ts';

interface Row {
  readonly name: string;
  readonly path: string;
  readonly expires: string;
  readonly residualDays: number | null;
  readonly authority: string;
  readonly isAuthority: boolean;
  readonly isGood: boolean;
  readonly problem?: string;
}

/** kubeadm's, but for who manages them. */
const columns: readonly Column<Row>[] = [
  { title: 'CERTIFICATE', cell: ({ name }) => name },
  { title: 'EXPIRES', cell: ({ expires, problem }) => problem ?? expires },
  { title: 'RESIDUAL TIME', cell: ({ residualDays, isGood }) => (isGood ? `${residualDays}d` : '<invalid>') },
  { title: 'CERTIFICATE AUTHORITY', cell: ({ authority }) => authority },
  { title: 'PATH', cell: ({ path }) => path, wide: true },
];

/** `isGood`: all can be read, are trusted by everybody, and none has ended. */
export async function checkCertificates(dirs: CertsDirs, output: string): Promise<{ readonly text: string; readonly isGood: boolean }> {
  const now = systemClock.now();
  const rows = (await findCertificates(dirs)).map((found) =>
    rowOf(found, now, found.issuer !== undefined && existsSync(keyPathOf(found.issuer))),
  );
  const text = renderOutput(outputFormat(output), rows, rows, columns, ({ name }) => name);
  return { text, isGood: rows.every((row) => row.isGood) };
}

function rowOf({ name, path, kind, leaf, flaw, ...found }: FoundCertificate, now: number, isRenewable: boolean): Row {
  const cure = isRenewable ? `fairlead certs renew ${name}` : `bring another ${path} from where the key of its authority is kept`;
  const problem = flaw === undefined ? found.problem : `${flaw}: ${cure}`;
  const leftMs = leaf ? leaf.validToDate.getTime() - now : 0;
  return {
    name,
    path,
    expires: leaf ? timestamp(leaf.validToDate.getTime()) : '',
    residualDays: leaf ? Math.floor(leftMs / 86_400_000) : null,
    authority: leaf && kind !== 'authority' ? commonNameOf(leaf.issuer) : '',
    isAuthority: kind === 'authority',
    isGood: leftMs > 0 && flaw === undefined,
    ...(problem === undefined ? {} : { problem }),
  };
}
