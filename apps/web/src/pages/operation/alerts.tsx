import type { Alert } from '@liquefy/client'
import { Ago, Card } from '../../ui/parts.tsx'

/** What stands in the way, worst first, each with what to do; or that nothing does. */
export const Alerts = ({ alerts, notWatched }: { alerts: Alert[]; notWatched: string[] }) =>
  alerts.length === 0 ? (
    <p className="operation-well" role="status">
      <strong>Nothing needs you{notWatched.length === 0 ? '' : ', as far as is seen here'}.</strong>{' '}
      No alert stands: the node watches the conditions of{' '}
      <code>operation/prometheus-rules.yml</code> itself
      {notWatched.length === 0 ? '' : `, without ${notWatched.join(', ')}`}.
    </p>
  ) : (
    <Card title={alerts.length === 1 ? 'One thing needs you' : `${alerts.length} things need you`}>
      <ul className="rows" aria-live="polite">
        {alerts.map((alert) => (
          <AlertRow key={`${alert.name} ${alert.words}`} alert={alert} />
        ))}
      </ul>
    </Card>
  )

const severityWords: Record<Alert['severity'], string> = {
  critical: 'critical',
  warning: 'warning',
  info: 'to know',
}

const AlertRow = ({ alert }: { alert: Alert }) => (
  <li className="alert-row">
    <p>
      <span className={`badge alert-${alert.severity}`}>{severityWords[alert.severity]}</span>{' '}
      <strong>
        <WithCode text={alert.words} />
      </strong>
    </p>
    <p>
      What to do: <WithCode text={alert.toDo} />
    </p>
    <p className="note">
      {alert.name}, since <Ago timeMs={alert.sinceMs} />. Condition: <code>{alert.condition}</code>
    </p>
  </li>
)

/** Words in which code stands in backquotes. */
const WithCode = ({ text }: { text: string }) =>
  text.split('`').map((part, index) => (index % 2 === 1 ? <code key={part}>{part}</code> : part))

/** What no node can say of itself; the words of docs/operation.md. */
export const nodeDown = (sinceMs: number): Alert => ({
  name: 'LiquefyNodeDown',
  severity: 'critical',
  sinceMs,
  words: 'The node does not answer: devices keep what they measure, and nothing is settled.',
  toDo: 'Start it. Devices keep what has no receipt and send it again; nothing is lost.',
  condition: 'up{job="liquefy"} == 0',
})
