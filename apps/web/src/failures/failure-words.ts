/** A part of the page that is fetched when it is needed did not come. */
export class MissingPartError extends Error {
  constructor(cause: unknown) {
    super(
      'A part of this page could not be fetched. Either the node does not answer just now, or it was upgraded since this page was opened: load the page again.',
      { cause },
    )
    this.name = 'MissingPartError'
  }
}

/** What browsers say when a script that is fetched later does not come. */
const MISSING = /dynamically imported module|importing a module script failed|preload CSS/i

/** What an error means, in words. */
export const failureWords = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return MISSING.test(error.message) ? new MissingPartError(error).message : error.message
}
