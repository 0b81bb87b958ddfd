/** A command cannot be carried out; the message says why. */
export class CliError extends Error {
  override readonly name = 'CliError';
  /** 2: the command line itself is wrong; 1: it is not, but what it asks for could not be done. */
  readonly exitCode: 1 | 2;

  constructor(message: string, { exitCode = 2 }: { readonly exitCode?: 1 | 2 } = {}) {
    super(message);
    this.exitCode = exitCode;
  }
}
