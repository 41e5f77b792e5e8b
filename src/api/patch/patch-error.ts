/** A patch that cannot be applied. `code` is upstream's HTTP status: 400 for a malformed patch, 422 for one that does not fit the object. */
export class PatchError extends Error {
  override readonly name = 'PatchError';
  readonly code: 400 | 422;

  constructor(code: 400 | 422, message: string) {
    super(message);
    this.code = code;
  }
}
