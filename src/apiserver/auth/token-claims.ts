/** What a ServiceAccount token says (KEP-1205), beside the registered claims of RFC 7519. */
export interface TokenClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: readonly string[];
  readonly exp: number;
  readonly nbf: number;
  readonly iat: number;
  readonly jti: string;
  readonly 'kubernetes.io': {
    readonly namespace: string;
    readonly serviceaccount: ObjectClaim;
    readonly pod?: ObjectClaim;
    readonly secret?: ObjectClaim;
    readonly node?: ObjectClaim;
    /** From when on (Unix seconds) the token should have been renewed, when it lives for longer than was asked. */
    readonly warnafter?: number;
  };
}

export interface ObjectClaim {
  readonly name: string;
  readonly uid: string;
}
