/** How to reach an API server, and as whom. Certificates and keys are PEM. */
export interface ClientConfig {
  /** `https://192.168.120.11:6443` */
  readonly server: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
  /** A file that holds the token and is rewritten from time to time; read again every minute. */
  readonly tokenFile?: string;
  /** The name the server's certificate must carry, when it is not that of the URL. */
  readonly serverName?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly userAgent?: string;
  /** What `user` can do about a request that RBAC refuses; becomes part of the error. */
  readonly whenForbidden?: (user: string) => string | undefined;
  /** For requests that end by themselves; a watch has none. Default 30 s. */
  readonly timeoutMs?: number;
}
