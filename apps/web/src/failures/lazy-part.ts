import { type ComponentType, lazy } from 'react'
import { MissingPartError } from './failure-words.ts'

/** A component that is fetched when it is first shown. Browsers keep that one did not come: only a reload of the page asks for it again. */
export const lazyPart = <Props extends object>(fetchPart: () => Promise<ComponentType<Props>>) =>
  lazy(async () => {
    try {
      return { default: await fetchPart() }
    } catch (cause) {
      throw new MissingPartError(cause)
    }
  })
