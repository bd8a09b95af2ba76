import { Component, type ReactNode } from 'react'
import { Crash } from './crash.tsx'

/** Keeps an error of what stands inside from what stands around it: tells of it, or shows something instead. React has this for classes only. */
export class Guard extends Component<
  { what: string; instead?: ReactNode; children: ReactNode },
  { failed: { error: unknown } | undefined }
> {
  override state: { failed: { error: unknown } | undefined } = { failed: undefined }

  static getDerivedStateFromError(error: unknown) {
    return { failed: { error } }
  }

  override render() {
    const { failed } = this.state
    if (failed === undefined) return this.props.children
    if (this.props.instead !== undefined) return this.props.instead
    const reset = () => this.setState({ failed: undefined })
    return <Crash what={this.props.what} error={failed.error} reset={reset} />
  }
}
