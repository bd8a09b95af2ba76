import { Link } from '@tanstack/react-router'
import { Empty } from '../ui/states.tsx'

export const NotFound = () => (
  <Empty title="There is no such page">
    The address may be mistyped. <Link to="/">Go to the overview</Link>.
  </Empty>
)
