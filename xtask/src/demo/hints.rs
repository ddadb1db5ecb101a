//! What to try while the demo stays up.

use super::site::Site;
use crate::project::Project;

/// Prints lines to copy. They hold the demo's own key and password, which end with it.
pub(super) fn print(site: &Site, project: &Project) {
    let (servers, database) = (site.servers(), site.database());
    let url = site.url();
    let address = url.split('?').next().unwrap_or_default();
    let (server, user) = (&servers.clickhouse_url, &servers.clickhouse_user);
    let password = servers.clickhouse_password.reveal();
    let own = std::env::current_exe()
        .unwrap_or_default()
        .with_file_name("postback");
    let postback = own.strip_prefix(project.root()).unwrap_or(&own).display();
    let configuration = site.configuration();
    let configuration = configuration.display();
    println!(
        "
Everything stays up until Ctrl-C. Try:

Send a postback of your own (it answers with its id in x-postback-id), and find it:
  curl -i '{address}?is_event=N&etransaction_id=my-first&order_id=my-order&unique_id=me&advertiser_id=1&sale_amount=12.50&commissions=1.25&currency=USD&transaction_date='$(date -u +%Y-%m-%dT%H:%M:%SZ)
  {postback} -c {configuration} trace my-order

Ask with SQL (ClickHouse's own page: {server}/play, user {user}, password {password}):
  curl '{server}/?database={database}' -H 'X-ClickHouse-User: {user}' -H 'X-ClickHouse-Key: {password}' --data-binary \\
    'SELECT currency, kind, count(), sum(sale_amount) FROM conversions GROUP BY ALL ORDER BY ALL FORMAT PrettyCompact'

The same by the report, and whether everything is safe:
  {postback} -c {configuration} report summary --by advertiser
  {postback} -c {configuration} doctor

The configuration is {configuration}; the programs' logs are beside it."
    );
}
