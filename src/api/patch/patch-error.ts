/** A patch that cannot be applied. `code` is the HTTP status upstream answers: 400 for a patch that is none, 422 for one that does not fit. */
export class PatchError extends Error {
  override readonly name = 'PatchError';
  readonly code: 400 | 422;

  constructor(code: 400 | 422, message: string) {
    super(message);
    this.code = code;
  }
}
