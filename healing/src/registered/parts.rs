//! A URL taken apart.

/// What a browser and a client may read in different ways where it stands before the `?`.
const AMBIGUOUS: [char; 2] = ['#', '\\'];

/// A URL's parts. Whatever is no URL, or may be read as two different ones, is all key.
#[derive(Clone, Copy)]
pub struct Parts<'u> {
    /// Before `://`.
    pub scheme: &'u str,
    /// With its port, without user and password.
    pub host: &'u str,
    /// From the slash behind the host through the last one.
    pub folder: &'u str,
    /// The last segment of the path: a secret.
    pub key: &'u str,
    /// Behind the first `?`.
    pub query: &'u str,
}

impl<'u> Parts<'u> {
    /// Takes any text apart.
    #[must_use]
    pub fn of(url: &'u str) -> Self {
        let url = url.trim();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let is_odd = |c: char| AMBIGUOUS.contains(&c) || c.is_whitespace() || c.is_control();
        if path.contains(is_odd) {
            return Self {
                scheme: "",
                host: "",
                folder: "",
                key: path,
                query,
            };
        }
        let (scheme, rest) = path.split_once("://").unwrap_or(("", path));
        let at = rest.find('/').unwrap_or(rest.len());
        let (host, path) = if scheme.is_empty() {
            ("", rest)
        } else {
            rest.split_at(at)
        };
        let slash = path.rfind('/').map_or(0, |slash| slash + 1);
        let (folder, key) = path.split_at(slash);
        Self {
            scheme,
            host: host.rsplit('@').next().unwrap_or_default(),
            folder,
            key,
            query,
        }
    }

    /// The same scheme, host, port and path before the key.
    #[must_use]
    pub fn leads_where(&self, other: &Self) -> bool {
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && (self.without_usual_port()).eq_ignore_ascii_case(other.without_usual_port())
            && self.folder == other.folder
    }

    fn without_usual_port(&self) -> &'u str {
        let port = match self.scheme.to_ascii_lowercase().as_str() {
            "https" => ":443",
            "http" => ":80",
            _ => return self.host,
        };
        self.host.strip_suffix(port).unwrap_or(self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_scheme_host_port_and_path() {
        let one = "https://pb.example.com/in/postback/KEY?a=1";
        for (other, expected) in [
            ("https://pb.example.com/in/postback/OTHER", true),
            (" HTTPS://PB.example.com:443/in/postback/KEY?b=2", true),
            ("https://u:p@pb.example.com/in/postback/KEY", true),
            ("http://pb.example.com/in/postback/KEY", false),
            ("https://pb.example.com:80/in/postback/KEY", false),
            ("https://pb.example.com:8443/in/postback/KEY", false),
            ("https://pb.example.com.evil/in/postback/KEY", false),
            ("https://pb.example.com/postback/KEY", false),
            ("https://pb.example.com/in/postback/KEY/", false),
            // A client connects to evil.example.
            (
                "https://evil.example#@pb.example.com/in/postback/KEY",
                false,
            ),
            (
                "https://evil.example\\@pb.example.com/in/postback/KEY",
                false,
            ),
            ("https://pb.example.com@evil.example/in/postback/KEY", false),
            (
                "https://evil.example?@pb.example.com/in/postback/KEY",
                false,
            ),
            ("KEY", false),
        ] {
            let leads = Parts::of(other).leads_where(&Parts::of(one));
            assert_eq!(leads, expected, "{other}");
        }
    }
}
