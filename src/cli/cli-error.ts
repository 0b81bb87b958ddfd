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

/** What was asked for was not done, or not all of it, though the command line is fine. */
export class CliFailure extends CliError {
  /** A line for each thing that failed. */
  readonly messages: readonly string[];

  constructor(...messages: readonly string[]) {
    super(messages.join('\n'), { exitCode: 1 });
    this.messages = messages;
  }
}
