/** What a plugin answers when it cannot do what it was asked (CNI spec, section "Error"). */
export const cniErrorCodes = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  badEnvironment: 4,
  io: 5,
  decode: 6,
  badConfig: 7,
  tryAgainLater: 11,
  notAvailable: 50,
  limitedConnectivity: 51,
  /** Own codes start at 100: CHECK found something that is not as it was made. */
  checkFailed: 100,
  internal: 999,
} as const;

export class CniError extends Error {
  readonly code: number;
  readonly details: string;

  constructor(kind: keyof typeof cniErrorCodes, message: string, details = '') {
    super(message);
    this.name = 'CniError';
    this.code = cniErrorCodes[kind];
    this.details = details;
  }
}

/** The JSON for standard output. */
export function formatCniError(
  err: { readonly code: number; readonly message: string; readonly details: string },
  cniVersion: string,
): string {
  return JSON.stringify({ cniVersion, code: err.code, msg: err.message, ...(err.details === '' ? {} : { details: err.details }) });
}
