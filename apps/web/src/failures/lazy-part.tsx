import { type ComponentType, type ReactNode, use } from 'react'
import { MissingPartError } from './failure-words.ts'

/** A component that is fetched when it is first shown. What did not come is asked for again at the next try, without a reload of the page. */
export const lazyPart = <Props extends object>(
  fetchPart: () => Promise<ComponentType<Props>>,
): ((props: Props) => ReactNode) => {
  let fetching: Promise<ComponentType<Props>> | undefined
  return (props) => {
    fetching ??= fetchPart().catch((cause: unknown) => {
      fetching = undefined
      throw new MissingPartError(cause)
    })
    const Part = use(fetching)
    return <Part {...props} />
  }
}
