/** Writes images as OCI archives. */
import { createHash } from 'node:crypto';
import { directory, file, type TarEntry, tarOf } from './tar.ts';
import type { Architecture } from './udp-echo.ts';

export interface ImageSpec {
  /** Full reference, such as `fairlead.local/box:1`. */
  readonly reference: string;
  readonly architecture: Architecture;
  readonly rootfs: readonly TarEntry[];
  readonly command: readonly string[];
  readonly env?: readonly string[];
}

interface Blob {
  readonly digest: string;
  readonly size: number;
  readonly bytes: Uint8Array;
}

function blobOf(content: Uint8Array | object): Blob {
  const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
  return { bytes, size: bytes.length, digest: createHash('sha256').update(bytes).digest('hex') };
}

/** A one-layer image as an OCI image layout in a tar (OCI image-layout 1.0), which `ctr images import` reads. */
export function ociArchive(image: ImageSpec): Uint8Array {
  const layer = blobOf(tarOf(image.rootfs));
  const config = blobOf({
    architecture: image.architecture,
    os: 'linux',
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...(image.env ?? [])], Cmd: image.command },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer.digest}`] },
  });
  const manifest = blobOf({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: `sha256:${config.digest}`, size: config.size },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: `sha256:${layer.digest}`, size: layer.size }],
  });
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: `sha256:${manifest.digest}`,
        size: manifest.size,
        platform: { architecture: image.architecture, os: 'linux' },
        annotations: { 'io.containerd.image.name': image.reference, 'org.opencontainers.image.ref.name': image.reference },
      },
    ],
  };
  return tarOf([
    file('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' })),
    file('index.json', JSON.stringify(index)),
    directory('blobs'),
    directory('blobs/sha256'),
    ...[layer, config, manifest].map((blob) => file(`blobs/sha256/${blob.digest}`, blob.bytes)),
  ]);
}
