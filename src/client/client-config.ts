import type { Term } from './term.ts';

/** As whom one asks, and whom one trusts. Certificates and keys are PEM. */
export interface Credentials {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
  /** A file that holds the token and is rewritten from time to time; read again every minute. */
  readonly tokenFile?: string;
}

/** Tokens that are asked for, and asked for again. */
export interface TokenSource {
  text(): Promise<string>;
  /** The server does not take this one any more. */
  refused(text: string): void;
}

/** How to reach an API server, and as whom. */
export interface ClientConfig extends Credentials {
  /** `https://192.168.120.11:6443` */
  readonly server: string;
  /** Asked before each request: the credentials that have taken the place of these, once; undefined while they are what they were. */
  readonly renewed?: () => Promise<Credentials | undefined>;
  /** In place of any other credentials. */
  readonly tokens?: TokenSource;
  /** The name the server's certificate must carry, when it is not that of the URL. */
  readonly serverName?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly userAgent?: string;
  /** What changes something is sent only while it lasts, and names it. */
  readonly term?: Pick<Term, 'mayAct' | 'text'>;
  /** What `user` can do about a request that RBAC refuses; becomes part of the error. */
  readonly whenForbidden?: (user: string) => string | undefined;
  /** For requests that end by themselves; a watch has none. Default 30 s. */
  readonly timeoutMs?: number;
}
