/** What `patientApt` needs of the machine. */
export interface AptMachine {
  run(args: readonly string[]): { readonly isDone: boolean; readonly stderr: string };
  pause(seconds: number): void;
  /** Told while it waits. */
  say(text: string): void;
  /** Told what apt-get has said of errors and warnings in the end. */
  show(text: string): void;
}

/** Runs apt-get; whether it did well. Another one that reads the lists or fetches packages is waited for; throws when that takes too long. */
export function patientApt(args: readonly string[], machine?: AptMachine): boolean;

/** One on which nothing of apt-get's progress is shown. */
export const quietMachine: AptMachine;
